/**
 * tee-migration (US20220188146A1, US11922211): trusted execution environments move between hosts. Realms move; what
 * `REMAINS` says is not there yet, so the table does not load it.
 */
import type { SystemScenario } from "./scenario.ts";
import { debianMoves } from "./tee_migration/debian.ts";
import { canary, crashes, meddling, randomInstants, refusals } from "./tee_migration/small.ts";

/** What of the sheet is not built. */
export const REMAINS: readonly string[] = [
  "a host that runs beside the realm and is denied its granules; the realm has all of its guest's memory",
  "enclaves at EL0 (type E) and migration between them and realms; shims for features that a destination lacks",
  "a loss of power of either host: a copy is in memory, and nothing sealed is kept elsewhere",
];

const EXPLAIN = `A realm is the guest of the monitor at EL2. It moves to a host where the same system waits:

    offer (policy)  →              the policy is checked before anything else is told
                    ←  accepted    the destination's nonce and measurement, under the cluster's key
    freeze                         at an exit with no interrupt in service and the serial line at rest
    begin, pieces   →              canonical state, then pages that are not zero: AES-256-GCM, a key of this attempt,
                    ←  taken       the sequence number as IV; a chain of SHA-256 measures them in order
    end             →  prepared    durable: all is there; the destination may neither resume nor forget
    commit          →              durable at the source before it is sent: from then on the realm is the other's
                    ←  done

Before \`commit\` is durable every way ends with the realm running at the source; behind it the source only ever repeats
the commit, and the destination, if it crashed, asks for it. Guest time stands still meanwhile: CNTVOFF_EL2.

    hindsight record --monitor el2:tee-migration,role=source|destination,cluster=SECRET[,features=LSE+…][,timeout=MS] …
    in a script: monitor el2 tee-migration migrate | crash; in a world a link of kind message at port mig of both
    hindsight world extract W NODE -o F; hindsight events F --kind teeMigrationStepped
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "tee-migration",
  explain: EXPLAIN,
  checks: [
    { name: "a small realm moves at random instants, and writes what it writes alone", run: randomInstants },
    { name: "either agent crashes at every message: one realm goes on, and it is whole", run: crashes },
    {
      name: "every message tampered with, cut, lost or sent twice: one realm goes on, and it is whole",
      run: meddling,
    },
    { name: "a policy that is not met, and a host without the key: no page is sent", run: refusals },
    { name: "a canary in the realm is never on the link", run: canary },
    {
      name: "Debian moves amid long work with sha256sum, at random instants: it writes what it writes alone",
      needs: ["linux-cloud"],
      isLong: true,
      run: debianMoves,
    },
  ],
};
