"""The local chain: a node as a child process and a world of real protocol bytecode on it."""
