/* The types of GGUF's tensors, which are those of a KV cache too. */
#ifndef SUPERVISOR_BASE_GGUF_H
#define SUPERVISOR_BASE_GGUF_H

/* Bits that a value takes, with its share of the scales of its block: "Q4_K" 4.5, "f16" 16. Small
 * and capital letters are the same; 0: no such type is known. */
double gguf_bits(const char *type);

#endif
