/** What can be wrong with a world as it is described: a message for the user, exit code 2. */

/** A world that cannot be made, or an input that it cannot be given. */
export class WorldError extends Error {
  /** Name of the class. */
  override name = "WorldError";
}
