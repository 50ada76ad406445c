"""`python -m ckptmatrix` is the `ckptmatrix` command."""

from ckptmatrix.cli import main

if __name__ == "__main__":
    main()
