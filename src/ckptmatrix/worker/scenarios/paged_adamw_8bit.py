"""bitsandbytes' paged AdamW in 8 bits; a GPU keeps its averages in memory that it pages out."""

from __future__ import annotations

from ckptmatrix.worker.scenarios.adam_8bit import Adam8bit


class PagedAdamW8bit(Adam8bit):
    """`bitsandbytes.optim.PagedAdamW8bit`."""

    optimizer = "bitsandbytes.optim:PagedAdamW8bit"

    def note(self, device: str) -> str:
        return "on the CPU, where bitsandbytes pages nothing" if device == "cpu" else ""


scenario = PagedAdamW8bit
