/** How much long tests go through. */

/**
 * Whether they go through all that they have: with LONG_TESTS=all, as in CI. Otherwise a share, for time, of what an
 * oracle compares whole, or what engines or trials do alike.
 */
export const GOES_THROUGH_ALL = Deno.env.get("LONG_TESTS") === "all";
