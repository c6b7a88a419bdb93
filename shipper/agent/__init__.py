"""The two loops, intake and upload, and who owns them."""
