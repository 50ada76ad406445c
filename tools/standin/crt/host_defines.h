/* What CUDA's type headers (driver_types.h, vector_types.h) expect of the compiler. They come with
 * torch's wheel, but the file that they include for this does not: it is part of nvcc. */
#pragma once
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __builtin_align__(bytes) __align__(bytes)
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cuda_builtin_vector_align8(tag, members) struct __attribute__((aligned(8))) tag { members }
#define __host__
#define __device__
