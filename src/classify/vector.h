/* Arithmetic on embeddings, the same to the bit on every machine. */
#ifndef FG_CLASSIFY_VECTOR_H
#define FG_CLASSIFY_VECTOR_H

/* out[i] = rows[i] . probe; rows: count x size. */
void fg_dots(const float *rows, long count, int size, const float *probe, float *out);

/* Scales v to unit length; returns the length that it had (0: left as it is). */
double fg_unit(float *v, int size);

#endif
