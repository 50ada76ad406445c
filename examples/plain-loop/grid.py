"""What of `train.py` is put to the test."""

import train

from ckptmatrix.worker.script import Script

mid_epoch = Script(train.train, save=1)  # after step 5 of 8
epoch_end = Script(train.train, save=2)  # after step 8
