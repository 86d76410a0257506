"""One stage per pool family: real contracts in an EVM, and our pool beside them."""
