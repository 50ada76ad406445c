"""The only part of ckptmatrix that runs inside foreign environments.

Python 3.9 syntax; standard library, torch, accelerate, numpy and safetensors alone. It is copied
into a bundle of its own before it runs, so nothing of the host's packages is within its reach.
"""
