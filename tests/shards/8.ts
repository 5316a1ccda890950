/** The ninth share of all tests. */
import { importShard } from "../shards.ts";

await importShard(8);
