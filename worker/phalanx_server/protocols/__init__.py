"""The three dialects that the server speaks. Each module turns bytes into a `Query` and a `Reply` into bytes.

No IO and no clock here: `phalanx_server.routes` reads the body and sends the answer.
"""
