// Differences to the reference that are intended. Each has the cases, both answers, and the reason.

/** @type {{case: RegExp, ours: RegExp, theirs: RegExp, reason: string}[]} */
export const DIFFERENCES = [];
