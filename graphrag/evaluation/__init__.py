"""Evaluation: how good retrieval and answers are."""
