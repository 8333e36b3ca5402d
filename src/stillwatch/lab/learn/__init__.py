"""Models that are trained here without torch: hashed n-grams and softmax regression."""
