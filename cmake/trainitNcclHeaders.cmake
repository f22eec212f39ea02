# trainit_nccl_includes: the directories of NCCL's header and of the CUDA runtime's, which it includes; empty when
# they are not there. Looked for below NCCL_HOME and CUDA_HOME, in the toolkit of a project that has enabled the
# language CUDA or found CUDAToolkit, where the compiler looks, and in trainit_nvidia_places. Also part of the installed package, for who compiles against trainit/nccl.h.
set(trainit_toolkit_includes ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ${CUDAToolkit_INCLUDE_DIRS})
find_path(TRAINIT_NCCL_INCLUDE nccl.h
          HINTS ENV NCCL_HOME ENV CUDA_HOME ${trainit_toolkit_includes} PATH_SUFFIXES include
          PATHS ${trainit_nvidia_places} DOC "Directory of nccl.h")
find_path(TRAINIT_CUDART_INCLUDE cuda_runtime.h
          HINTS "${TRAINIT_NCCL_INCLUDE}" ENV CUDA_HOME ${trainit_toolkit_includes} PATH_SUFFIXES include
          PATHS ${trainit_nvidia_places} DOC "Directory of cuda_runtime.h")
set(trainit_nccl_includes)
if(TRAINIT_NCCL_INCLUDE AND TRAINIT_CUDART_INCLUDE)
  set(trainit_nccl_includes "${TRAINIT_NCCL_INCLUDE}" "${TRAINIT_CUDART_INCLUDE}")
  list(REMOVE_DUPLICATES trainit_nccl_includes)
endif()
