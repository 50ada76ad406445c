"""What a file says of versions: requirements.txt, pip freeze, uv.lock, pylock.toml, or one line.

Each form is one module that turns a text into `Pins`; `reading` tells them apart. What is no
release on an index (an editable install, a repository, an archive) is left out, and said.
"""
