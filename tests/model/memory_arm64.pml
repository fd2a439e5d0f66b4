/* What arm64 may do with a side's stores, for ring.pml: one lands at any later time and before others that were made
   earlier, but not before one to the same address (coherence). A release (STLR) lands when all before it have; what
   comes after it may still overtake it. A store is seen by everybody at once (arm64 is multi-copy atomic), so one `mem`
   is enough, and a sequentially consistent load (LDAR) waits for the stores with release of its own side, behind which
   there is no other where ring.pml has one.

   Loads are in their order here, as acquire keeps them; ring.pml moves one where a variant takes that away. */

typedef Buffer { byte n; byte address[5]; byte value[5]; bit release[5] }
Buffer buffer_p, buffer_c;
hidden byte k;    /* of d_step blocks only */

inline put(b, to, what, is_release) {
  b.n < 5;
  d_step { b.address[b.n] = to; b.value[b.n] = what; b.release[b.n] = is_release; b.n++ }
}
inline land(b, i) {
  d_step {
    mem[b.address[i]] = b.value[i];
    k = i;
    do
    :: k + 1 < b.n -> b.address[k] = b.address[k + 1]; b.value[k] = b.value[k + 1]; b.release[k] = b.release[k + 1]; k++
    :: else -> break
    od;
    b.address[k] = 0; b.value[k] = 0; b.release[k] = 0;   /* one state, not many that mean the same */
    b.n--
  }
}
#define APART(b, i, j) (b.address[i] != b.address[j])
#define FREE(b, i) (b.n > i && !b.release[i])
inline land_one(b) {
  if
  :: land(b, 0)
  :: FREE(b, 1) && APART(b, 0, 1) -> land(b, 1)
  :: FREE(b, 2) && APART(b, 0, 2) && APART(b, 1, 2) -> land(b, 2)
  :: FREE(b, 3) && APART(b, 0, 3) && APART(b, 1, 3) && APART(b, 2, 3) -> land(b, 3)
  :: FREE(b, 4) && APART(b, 0, 4) && APART(b, 1, 4) && APART(b, 2, 4) && APART(b, 3, 4) -> land(b, 4)
  fi
}
active proctype DrainP() { end: do :: atomic { buffer_p.n > 0 -> land_one(buffer_p) } od }
active proctype DrainC() { end: do :: atomic { buffer_c.n > 0 -> land_one(buffer_c) } od }

#define STORE(side, to, what) put(buffer_##side, to, what, 0)
#define RELEASE(side, to, what) put(buffer_##side, to, what, 1)
#define LANDED(side) (buffer_##side.n == 0)
