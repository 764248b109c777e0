"""The HTTP face. `app.build` makes the ASGI application, `serve.serve` runs it."""
