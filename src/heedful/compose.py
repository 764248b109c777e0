"""Settings to objects. The only module that knows concrete classes."""
