/** tee-migration (US20220188146A1, US11922211): trusted execution environments move between hosts. */
import type { SystemScenario } from "./scenario.ts";
import { debianMoves, debianOfTwo } from "./tee_migration/debian.ts";
import { debianPowerLosses } from "./tee_migration/debian_power.ts";
import { ENCLAVE_CHECKS } from "./tee_migration/enclave_checks.ts";
import { hostIsDenied } from "./tee_migration/host_checks.ts";
import { replays, sameJournal } from "./tee_migration/journals.ts";
import { plantedFaults } from "./tee_migration/planted.ts";
import { crashes, movesBack, powerLosses } from "./tee_migration/power.ts";
import { meddling, randomInstants, refusals, transcripts } from "./tee_migration/small.ts";

const EXPLAIN = `A realm is the guest of the monitor at EL2. It moves to a host where the same system waits:

    offer (policy)  →              the policy is checked before anything else is told
                    ←  accepted    the destination's nonce and measurement, under the cluster's key
    freeze                         all CPUs at EL2, no interrupt in service, the serial line at rest; a copy is sealed
    begin, pieces   →              canonical state, then pages that are not zero: AES-256-GCM, a key of this attempt,
                    ←  taken       the sequence number as IV; a chain of SHA-256 measures them in order
    end             →  prepared    durable: a copy is sealed; the destination may neither resume nor forget
    commit          →              durable at the source before it is sent: from then on the realm is the other's
                    ←  done

Before \`commit\` is durable every way ends with the realm running at the source; behind it the source only ever repeats
the commit, and the destination, if it crashed or lost power, asks for it. Guest time stands still: CNTVOFF_EL2. Both
agents sign a transcript (Ed25519). The destination is the source of the next epoch: the realm can move on, or back.

With host=ADDRESS the last CPU and RAM from there on are an untrusted host's, at EL1 with a stage 2 of its own. It gives
the realm its memory by calls with RMM's function identifiers (GRANULE_DELEGATE, REALM_CREATE, REC_ENTER): a granule that
is delegated leaves its stage 2, one that comes back is cleared first. It has no device, so that none does DMA for it.
With drive=ID records and a sealed copy are on a disk of the monitor's, and survive power.

A program at EL0 can go to a TEE of another type. In a realm (R) a runtime at EL1 carries it; as an enclave (E) it is in
Secure memory under the monitor at EL3, with no Secure OS: Secure EL1 has vectors that call EL3, SCR_EL3 brings interrupts
there, and the normal world lends it a CPU by SMC (create, enter, destroy, find). Canonical are general, vector and EL0's
system registers, flags, the counter and pages by virtual address; services are calls that are made again. Pages of 4 KiB
become pages of 16 or 64 KiB and back. A header says what the program needs: extensions, whether lacking ones may be
emulated, whether it may change types; what a host cannot have is refused before anything is sent.

    hindsight record --monitor el2:tee-migration,role=source|destination,cluster=SECRET[,features=LSE+…][,timeout=MS]
              [,host=0xADDRESS][,drive=ID] …
    programs: el2:tee-migration,form=program,… and -M virt,secure-ram=on el3:tee-migration,…[,granule=4K|16K|64K][,shims=on]
    hindsight events F --kind enclaveChanged; hindsight events F --kind instructionEmulated
    in a script: monitor el2 tee-migration migrate | crash; in a world a link of kind message at port mig of both
    hindsight world extract W NODE -o F; hindsight events F --kind teeMigrationStepped,granulesChanged,transcriptSigned
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "tee-migration",
  explain: EXPLAIN,
  checks: [
    { name: "a small realm moves at random instants, and writes what it writes alone", run: randomInstants },
    { name: "what the realm can see of its machines is the same, moved or not", run: sameJournal },
    { name: "it moves there, back and there again, with one CPU and two", run: movesBack },
    {
      name: "a host beside the realm is denied its granules, and the canary is never where it could read",
      run: hostIsDenied,
    },
    { name: "either agent crashes at every message: one realm goes on, and it is whole", run: crashes },
    {
      name: "either host or both lose power at every message: one realm goes on to the end",
      run: powerLosses,
    },
    {
      name: "every message tampered with, cut, lost or sent twice: one realm goes on, and it is whole",
      run: meddling,
    },
    {
      name: "a policy that is not met, no key, no peer, no rest: no page is sent, and the realm stays",
      run: refusals,
    },
    { name: "both agents sign the transcript of what was on the link", run: transcripts },
    { name: "all of it replays to the same roots on all engines", run: replays },
    { name: "each check finds the fault that is planted for it", run: plantedFaults },
    {
      name: "Debian moves amid long work with sha256sum, at random instants: it writes what it writes alone",
      needs: ["linux-cloud"],
      run: debianMoves,
    },
    {
      name: "Debian with two CPUs moves amid work, and writes what it writes alone",
      needs: ["linux-cloud"],
      isLong: true,
      run: debianOfTwo,
    },
    {
      name:
        "Debian's hosts lose power at events of every kind: one realm goes on, and writes what it writes alone",
      needs: ["linux-cloud"],
      isLong: true,
      run: debianPowerLosses,
    },
    ...ENCLAVE_CHECKS,
  ],
};
