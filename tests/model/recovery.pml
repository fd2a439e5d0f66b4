/* What becomes of requests when meshd, or an edge, dies: the words taken and settled, the old return ring, the broker's
   confirms and the queue of answers that outlives us (RequestRecovery::on_lost, MeshLink::lose, Worker::end_of_reading and flush,
   EarlyResponses::release). The ring itself is ring.pml's; here a word that is stored is seen.

   An edge has N requests: one that must not run twice, one that may (idempotent), one that meshd refuses by itself. A
   second edge, after the first one's death, has one of the same sequence. meshd dies up to CRASHES times, at any step,
   and comes back; with -DEDGE_DIES the edge dies once; with -DLEAVES it leaves a meshd that lives, for what that said.
   What a dead meshd had written to the broker arrives, or does not.

   What must hold:  a request that is not idempotent runs once at most            (assert in Broker)
                    each request has one outcome at most                          (assert in ENDS)
                    an answer is that of the asker, not of one before it           (assert in heard)
                    what is answered ran, or was refused                          (assert in heard)
                    nothing is unknown whose answer lay in the old ring           (assert in drain)
                    when nothing can move any more, each has its outcome, and only
                    what may have run is unknown                                  (assert in Watch)

   Each of these is a mistake, and must be found wrong:
   -DTAKEN_LATE      `taken` is stored after a request was published
   -DSETTLED_EARLY   `settled` is stored when a request was published, not when the broker has confirmed it
   -DSETTLED_FIRST   `settled` is stored before the answers of meshd itself are shown
   -DACK_FIRST       an answer is acknowledged to the broker before it is shown to the edge
   -DRESEND_TAKEN    the edge sends again what was taken and not settled, whatever it is
   -DNO_DRAIN        the edge forgets the old return ring unread
   -DDRAIN_LAST      the edge judges its requests first and reads the old return ring afterwards
   -DJUDGE_ALIVE     the edge believes `taken` of a meshd that lives
   -DSAME_ADDRESS    with -DLEAVES: a living meshd gives an edge that left it its former address again
   -DNO_TABLE        the edge takes every answer, also a second one
   -DNO_FENCE        an answer reaches the second edge by its sequence alone
   -DDROP_ABSENT     a new meshd drops answers for edges that have not come back yet */

#define N 3
#define R 4                    /* requests in all: the fourth is the second edge's, and has the sequence of the first */
#ifndef CRASHES
#define CRASHES 1
#endif
#define OUT 8
#define GENERATION(r) ((r) / N)
#define IDEMPOTENT(r) ((r) == 1)
#define REFUSED(r) ((r) == 2)

#define UNSENT 0
#define PENDING 1
#define ANSWERED 2
#define UNKNOWN 3
#define GONE 4                 /* with its consumer's socket */
byte state[R], outcomes[R], runs[R];

/* One attachment: what lies in its segments */
byte ring[R], out[OUT];
byte written, taken, settled, shown;
/* of the edge */
byte generation, life_seen, read, ring_end[R];
bit attached, unread[R];        /* it has called this unknown, and there may be an answer in the old ring */
/* of meshd; gone when it dies */
byte life, crashes, head, work, staged, place[R];
bit up = 1, done[R];
/* of the broker, which stays */
chan wire = [R + 1] of { byte, byte };   /* request, life of the meshd that sent it */
byte answers[R], unacknowledged[R];
bit confirm[R];
bit edge_died, left;

byte i, j;                     /* of atomic blocks only */

#define HAS_UNSENT (generation == 0 -> state[0] == UNSENT || state[1] == UNSENT || state[2] == UNSENT : state[3] == UNSENT)

#define ENDS(r, how) state[r] = how; outcomes[r]++; assert(outcomes[r] <= 1)

inline heard(r) {
  assert(GENERATION(r) == generation);
#ifdef NO_TABLE
  ENDS(r, ANSWERED);
#else
  if
  :: state[r] == PENDING -> assert(runs[r] > 0 || REFUSED(r)); ENDS(r, ANSWERED)
  :: else                      /* late: nobody waits */
  fi
#endif
}

inline drain() {
  do
  :: read < shown -> j = out[read]; read++; assert(!unread[j]); heard(j)
  :: else -> break
  od
}

/* RequestRecovery::on_lost, with meshd's words or, of one that may live, the worst that they could say */
inline judge(t, s) {
  for (i : 0 .. R - 1) {
    if
    :: GENERATION(i) == generation && state[i] == PENDING && ring_end[i] > 0 ->
       if
       :: ring_end[i] > t -> state[i] = UNSENT
       :: ring_end[i] <= t && ring_end[i] <= s -> ring_end[i] = 0    /* its answer will come */
       :: ring_end[i] <= t && ring_end[i] > s ->
#ifdef RESEND_TAKEN
          state[i] = UNSENT
#else
          if
          :: IDEMPOTENT(i) -> state[i] = UNSENT
          :: else -> ENDS(i, UNKNOWN); unread[i] = 1
          fi
#endif
       fi
    :: else
    fi
  }
  i = 0
}

/* What is left in the ring of an edge that has gone: whole records, which meshd reads on to the last */
inline run_out() {
  do
  :: work < written ->
     if :: !REFUSED(ring[work]) -> wire ! ring[work], life :: else fi;
     work++
  :: else -> break
  od
}

inline fresh_rings() {
  written = 0; taken = 0; settled = 0; shown = 0; read = 0;
  head = 0; work = 0; staged = 0;
  for (i : 0 .. R - 1) { done[i] = 0; ring[i] = 0; unread[i] = 0; confirm[i] = 0; place[i] = 0 }
  for (i : 0 .. OUT - 1) { out[i] = 0 }
  i = 0
}

active proctype Edge() {
  byte r;
end: do
  :: atomic { !attached && up -> fresh_rings(); attached = 1; life_seen = life }
  :: atomic { attached && life_seen == life && HAS_UNSENT ->
       r = generation * N;
       do
       :: state[r] != UNSENT -> r++
       :: else -> break
       od;
       ring[written] = r; written++; ring_end[r] = written; state[r] = PENDING;
       r = 0
     }
  :: atomic { attached && read < shown -> r = out[read]; read++; heard(r); r = 0 }
  :: atomic { attached && (!up || life_seen != life) ->
#ifdef NO_DRAIN
       judge(taken, settled);
#elif defined(DRAIN_LAST)
       judge(taken, settled);
       drain();
#else
       drain();
       judge(taken, settled);
#endif
       attached = 0; j = 0
     }
#if defined(LEAVES) || defined(JUDGE_ALIVE)
  :: atomic { attached && up && life_seen == life && !left ->
       left = 1;
       drain();
#ifdef JUDGE_ALIVE
       judge(taken, settled);
#else
       judge(written, 0);
#endif
       run_out();
#ifndef SAME_ADDRESS
       /* It gets another address, and what was to come to the former one never does. */
       life++;
       for (i : 0 .. R - 1) {
         if :: GENERATION(i) == generation && state[i] == PENDING -> ENDS(i, UNKNOWN) :: else fi
       }
       i = 0;
#endif
       attached = 0; j = 0
     }
#endif
#ifdef EDGE_DIES
  :: atomic { !edge_died && generation == 0 ->
       edge_died = 1;
       for (i : 0 .. N - 1) {
         if :: state[i] == PENDING || state[i] == UNSENT -> ENDS(i, GONE) :: else fi;
         ring_end[i] = 0
       }
       if :: attached && up && life_seen == life -> run_out() :: else fi;
       generation = 1; attached = 0; i = 0
     }
#endif
  od
}

#define HERE (up && attached && life_seen == life)
#ifdef NO_FENCE
#define OURS(r) 1
#else
#define OURS(r) (GENERATION(r) == generation)
#endif
#ifdef DROP_ABSENT
#define TO_DELIVER(r) (answers[r] > 0)
#else
#define TO_DELIVER(r) (answers[r] > 0 && (HERE || GENERATION(r) != generation))   /* else kept until its edge comes back */
#endif

active proctype Meshd() {
  byte r;
end: do
  :: atomic { HERE && head < written -> head++ }
  :: atomic { HERE && taken < head -> taken = head }                                 /* end_of_reading() */
#ifdef TAKEN_LATE
  :: atomic { HERE && work < head ->
#else
  :: atomic { HERE && work < taken && staged < OUT ->
#endif
       r = ring[work];
       place[r] = work;
       work++;
       if
       :: REFUSED(r) -> out[staged] = r; staged++; done[place[r]] = 1
       :: else ->
          wire ! r, life;
#ifdef SETTLED_EARLY
          done[place[r]] = 1
#endif
       fi;
       r = 0
     }
  :: atomic { HERE && (confirm[0] || confirm[1] || confirm[3]) ->
       if
       :: confirm[0] -> confirm[0] = 0; done[place[0]] = 1
       :: confirm[1] -> confirm[1] = 0; done[place[1]] = 1
       :: confirm[3] -> confirm[3] = 0; done[place[3]] = 1
       fi
     }
  :: atomic { up && staged < OUT && (TO_DELIVER(0) || TO_DELIVER(1) || TO_DELIVER(3)) ->
       if
       :: TO_DELIVER(0) -> r = 0
       :: TO_DELIVER(1) -> r = 1
       :: TO_DELIVER(3) -> r = 3
       fi;
       answers[r]--;
       if
       :: HERE && OURS(r) -> unacknowledged[r]++; out[staged] = r; staged++
       :: else                     /* of a dead edge's, nobody's: acknowledged at once */
       fi;
       r = 0
     }
  :: atomic { HERE && shown < staged -> shown = staged }                              /* flush() */
#ifdef SETTLED_FIRST
  :: atomic { HERE && settled < work && done[settled] -> settled++ }
#else
  :: atomic { HERE && settled < work && done[settled] && shown == staged -> settled++ }
#endif
#ifdef ACK_FIRST
  :: atomic { up && unacknowledged[0] + unacknowledged[1] + unacknowledged[3] > 0 ->
#else
  :: atomic { up && unacknowledged[0] + unacknowledged[1] + unacknowledged[3] > 0 && (shown == staged || !attached) ->
#endif
       unacknowledged[0] = 0; unacknowledged[1] = 0; unacknowledged[3] = 0
     }
  :: atomic { up && crashes < CRASHES ->
       crashes++; up = 0;
       for (i : 0 .. R - 1) { answers[i] = answers[i] + unacknowledged[i]; unacknowledged[i] = 0; confirm[i] = 0 }
       i = 0
     }
  :: atomic { !up -> up = 1; life++ }
  od
}

active proctype Broker() {
  byte r, from;
end: do
  :: atomic { wire ? r, from ->
       if
       :: runs[r]++; assert(IDEMPOTENT(r) || runs[r] <= 1); answers[r]++;
          if :: up && from == life && attached && GENERATION(r) == generation -> confirm[r] = 1 :: else fi
       :: from != life || !up    /* lost on the way with the connection */
       fi;
       r = 0; from = 0
     }
  od
}

active proctype Watch() {
end:
  timeout ->
  for (i : 0 .. R - 1) {
    if
    :: GENERATION(i) <= generation ->
       assert(state[i] == ANSWERED || state[i] == UNKNOWN || (state[i] == GONE && edge_died));
       assert(state[i] != UNKNOWN || left || (!IDEMPOTENT(i) && crashes > 0))
    :: else
    fi
  }
}
