"""Pure decisions about the queue: what runs next, with how many students, and what is refused.

No clock, no IO, no asyncio, no torch: time comes in as an argument in seconds, lengths in tokens. The engine and
the admission of the server own the state and perform what is decided here.
"""
