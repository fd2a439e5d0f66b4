/* x86-TSO, for ring.pml: a side's stores land in their order, whatever kind they are. */

chan buffer_p = [5] of { byte, byte };   /* address, value */
chan buffer_c = [5] of { byte, byte };
active proctype DrainP() { byte a, v; end: do :: atomic { buffer_p ? a, v -> mem[a] = v } od }
active proctype DrainC() { byte a, v; end: do :: atomic { buffer_c ? a, v -> mem[a] = v } od }

#define STORE(side, to, what) buffer_##side ! to, what
#define RELEASE(side, to, what) buffer_##side ! to, what
#define LANDED(side) empty(buffer_##side)
