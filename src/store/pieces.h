/* SPDX-License-Identifier: MIT */
/*
 * Memory in pieces of a few sizes, which each thread keeps for itself when they are given back: SQLite takes and gives back the same
 * sizes with each statement. It asks in these types. Another thread than the one that took a piece may give it back.
 */
#ifndef CNK_PIECES_H
#define CNK_PIECES_H

/* A piece of at least `size` bytes, at an address that is a multiple of 8; NULL when memory is out. */
void *cnk_piece_take(int size);
void cnk_piece_give(void *piece);

/* The same piece, or another one with what was in it, of at least `size` bytes. NULL when memory is out; the old one is unchanged
 * then. */
void *cnk_piece_resize(void *piece, int size);

/* How many bytes a piece has; 0 of NULL. */
int cnk_piece_size(void *piece);

#endif
