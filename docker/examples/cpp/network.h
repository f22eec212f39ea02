#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "digits.h"

inline constexpr int kHidden = 64;
inline constexpr float kMomentum = 0.9F;

// Where each part stands in the one vector of parameters; weights are rows of one unit each.
inline constexpr int kHiddenWeights = 0;
inline constexpr int kHiddenBiases = kHiddenWeights + kHidden * kPixels;
inline constexpr int kOutputWeights = kHiddenBiases + kHidden;
inline constexpr int kOutputBiases = kOutputWeights + kClasses * kHidden;
inline constexpr int kParameters = kOutputBiases + kClasses;

/// A small neural network: 64 pixels, 64 hidden units (ReLU), 10 digits (softmax), learning by
/// stochastic gradient descent with momentum.
class Network {
 public:
  explicit Network(unsigned seed);

  /// One step on the images of a batch; gives their mean loss (cross entropy) before the step.
  double learn(const std::vector<Image>& images, std::span<const std::size_t> batch,
               float learning_rate);
  int classify(const Image& image) const;

  /// Weights and biases: all that the network knows.
  const std::vector<float>& parameters() const { return parameters_; }

  /// Parameters and momentum: all that is needed to go on learning.
  std::vector<float> state() const;
  /// Takes over what `state` gave; false when the size does not fit.
  bool restore(const std::vector<float>& state);

 private:
  std::vector<float> parameters_, momentum_;
};
