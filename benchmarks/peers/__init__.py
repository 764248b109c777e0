"""Other people's recommenders in the same replay: same stream, same questions, same targets, our metrics."""
