#pragma once

#include <span>
#include <vector>

#include "device.h"
#include "network.h"

/// The network of ../cpp with all its numbers on a device, and one rank's part of the learning: the
/// gradient of some images of a batch. Adding up the ranks' gradients is left to the caller.
/// Everything but `state` and `totals` is only put onto the stream.
class DeviceNetwork {
 public:
  /// What all ranks together had of one batch.
  struct Totals {
    double loss;  ///< the sum of the images' losses
    bool stop;    ///< a rank was asked to stop
  };

  /// `state` is that of a Network. Of a batch this rank takes `largest_part` images at most.
  static trainit::Result<DeviceNetwork> make(cudaStream_t stream, const std::vector<Image>& images,
                                             const std::vector<float>& state, int largest_part);

  trainit::Result<void> set_order(const std::vector<std::size_t>& order);
  /// The gradient of the images `first` … `first + count - 1` of the order, and what makes Totals,
  /// go into `sums`. `count` may be 0.
  trainit::Result<void> differentiate(int first, int count, bool stop);
  /// To be added up over the ranks.
  Buffer<float>& sums() { return sums_; }
  /// The step by the gradient in `sums`, of a batch of `batch_size` images.
  trainit::Result<void> step(int batch_size, float learning_rate);

  /// These wait for the stream.
  trainit::Result<Totals> totals() const;
  trainit::Result<std::vector<float>> state() const;

 private:
  struct Batch {
    Buffer<float> pixels, hidden, hidden_errors, outputs, losses;
    Buffer<int> digits;
  };
  static trainit::Result<Batch> make_batch(std::size_t size);
  DeviceNetwork(cudaStream_t stream, Buffer<float> pixels, Buffer<int> digits, Buffer<int> order,
                Buffer<float> parameters, Buffer<float> velocities, Buffer<float> sums,
                Batch batch);

  cudaStream_t stream_;
  Buffer<float> pixels_;  // of all images
  Buffer<int> digits_, order_;
  Buffer<float> parameters_, velocities_, sums_;
  Batch batch_;
};
