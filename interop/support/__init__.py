"""What the interop tests stand on: processes, the peers, and our own binary behind the same faces."""
