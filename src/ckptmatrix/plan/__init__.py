"""From the declared matrix to environments, checkpoints, cells and shards."""
