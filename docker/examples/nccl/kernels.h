#pragma once

#include <cuda_runtime_api.h>

/// The arithmetic of ../cpp/network.cc on a CUDA device. Each function puts its kernels onto the
/// stream; pointers lead to the device's memory, and a kernel that cannot be started shows in
/// cudaGetLastError. One thread makes one number, and adds up in the order in which the CPU does:
/// the same input gives the same bits, however often it runs.
namespace kernels {

/// A fully connected layer among the parameters, or among their gradient.
template <class Number>
struct Layer {
  int inputs, outputs;
  Number* weights;  ///< a row of `inputs` for each output
  Number* biases;
};

/// Copies the pixels and digits of the images `order[0]` … `order[count - 1]`.
void gather(cudaStream_t stream, const float* images, const int* digits, const int* order,
            int pixels, int count, float* batch_pixels, int* batch_digits);

// ---- forward; each of `count` images has its inputs and outputs in a row

void multiply(cudaStream_t stream, Layer<const float> layer, const float* inputs, int count,
              float* outputs);
/// Negative values become 0.
void rectify(cudaStream_t stream, int size, float* values);

// ---- backward

/// For each image: its loss (cross entropy after softmax), and in place of the outputs the loss's
/// derivatives by them.
void lose(cudaStream_t stream, const int* digits, int classes, int count, float* outputs,
          float* losses);
/// The derivatives by a layer's inputs from those by its outputs; 0 where the input was rectified.
void propagate(cudaStream_t stream, Layer<const float> layer, const float* output_errors,
               const float* inputs, int count, float* input_errors);
/// The derivatives by a layer's weights and biases, summed over all images.
void differentiate(cudaStream_t stream, Layer<float> gradient, const float* inputs,
                   const float* output_errors, int count);

/// `totals[0]`: the sum of the losses; `totals[1]`: `stop`.
void total(cudaStream_t stream, const float* losses, int count, float stop, float* totals);

/// Gradient descent with momentum: `gradient` is a sum, of which `scale` makes the mean.
void step(cudaStream_t stream, const float* gradient, float scale, float learning_rate,
          float momentum, int size, float* velocities, float* parameters);

}  // namespace kernels
