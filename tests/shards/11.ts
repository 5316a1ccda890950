/** The twelfth share of all tests. */
import { importShard } from "../shards.ts";

await importShard(11);
