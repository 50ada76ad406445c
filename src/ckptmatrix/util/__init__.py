"""What any part may use: the home folder, files, parallel work, progress, text for a terminal."""
