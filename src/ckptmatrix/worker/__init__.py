"""What runs inside foreign environments; of the rest of ckptmatrix only `resume.py` does.

Python 3.9 syntax; standard library, torch, accelerate, numpy and safetensors alone. Both are copied
into a bundle before they run, so nothing of the host's packages is within their reach. The host
imports `protocol`, `measured`, `words`, `wire`, `stand_in` and `layout`, which take the standard
library alone.
"""
