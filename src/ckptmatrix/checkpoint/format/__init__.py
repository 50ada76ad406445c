"""How the files of a checkpoint are named, read and written; no conclusion is drawn here."""
