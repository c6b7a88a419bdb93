"""What `shipper init` proposes: the logs of this host, how they are read, and the rule packs that fit them."""
