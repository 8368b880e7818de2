"""What we call unusual: detectors, the learnt part, the simulated hospital and its evaluation."""
