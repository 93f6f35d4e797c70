"""What the selected classifiers are good for: sets, ranks, doubtful labels, embeddings, new photographs."""
