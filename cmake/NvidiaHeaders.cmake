# trainit_nvidia_places: where NVIDIA's headers may be, beside where every compiler looks: those of an installed
# toolkit, and those that scripts/fetch-cuda-headers brought into the cache.
set(trainit_nvidia_places /usr/local/cuda/include)
set(trainit_cuda_pins "${PROJECT_SOURCE_DIR}/scripts/lib/cuda-headers.txt")
if(EXISTS "${trainit_cuda_pins}")
  set(trainit_cache "$ENV{TRAINIT_CACHE}")
  if(NOT trainit_cache)
    set(trainit_cache "$ENV{HOME}/.cache/trainit")
  endif()
  file(SHA256 "${trainit_cuda_pins}" trainit_cuda_sum)
  string(SUBSTRING "${trainit_cuda_sum}" 0 16 trainit_cuda_sum)
  list(APPEND trainit_nvidia_places "${trainit_cache}/cuda-headers-${trainit_cuda_sum}/include")
endif()
