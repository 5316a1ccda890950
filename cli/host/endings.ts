/** What has to be ended when a command has been carried out, by those who began it: nobody else has to know them. */

const endings: (() => readonly string[] | void)[] = [];

/** `ending` is to be called at the end of each command; it gives what went wrong, for the user. */
export function atEnd(ending: () => readonly string[] | void): void {
  endings.push(ending);
}

/** Ends what there is; what went wrong. */
export function endAll(): string[] {
  return endings.flatMap((ending) => ending() ?? []);
}
