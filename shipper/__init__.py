"""The journey of a log line, in six hops, two loops and one store between them.

1. `tailing` follows files and cuts them into blocks of whole records.
2. `matching` judges a block against the rules and makes events of what matches.
3. `outbox` commits the events and the file's offset in one transaction.
4. `cloudmonitor` packs waiting events into a batch, signs it and sends it.
5. The service's answer becomes a verdict: accepted, try again, or refused.
6. `outbox` settles the verdict: deleted, kept, or a dead letter.

`agent` runs hops 1-3 in one loop and 4-6 in another; `cli` is the door.
"""
