"""What is known beforehand: releases, causes, expected outcomes."""
