// Differences to the reference that are intended. Each has the cases, both answers, and the reason.

/** @type {{case: RegExp, ours: RegExp, theirs: RegExp, reason: string}[]} */
export const DIFFERENCES = [
  {
    case: / with broken JSON$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^400 SyntaxError$/,
    reason: "A body that is no JSON is an invalid request. The reference shows the name of its own exception.",
  },
  {
    case: /\.createAccount (as none|with an unknown field)$/,
    ours: /^200 .*"didDoc"/,
    theirs: /^200 /,
    reason: "The answer to createAccount says as much as that to createSession: the state of the account, its address and its document.",
  },
  {
    case: /\.createAccount as not base64$/,
    ours: /^401 BadJwt /,
    theirs: /^500 /,
    reason: "A malformed service token is no failure of the server.",
  },
  {
    case: /\.createAccount password (absent|empty)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200 /,
    reason: "An account without a password could not be entered.",
  },
  {
    case: /\.(createAppPassword name|updateAccountEmail email|updateAccountPassword password) (empty|too long)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200/,
    reason: "Names, addresses and passwords have a length.",
  },
  {
    case: /\.applyWrites writes a list$/,
    ours: /^200 /,
    theirs: /^200 .*"commit"/,
    reason: "No writes make no commit.",
  },
  {
    case: /\.listRepos /,
    ours: /^200 (?!.*"cursor")/,
    theirs: /^200 .*"cursor"/,
    reason: "The last page has no cursor.",
  },
  {
    case: /\.(createSession|getSession|refreshSession) /,
    ours: /^200 .*"emailAuthFactor"/,
    theirs: /^200 .*"emailConfirmed"/,
    reason: "Sessions say whether a sign-in asks for a mailed code. The reference has no such codes.",
  },
  {
    case: /\.refreshSession as (admin|wrong admin|other user)$/,
    ours: /^400 InvalidToken Unexpected authorization type$/,
    theirs: /^401 AuthMissing /,
    reason: "A credential of another type is refused in the same words by every method that asks for a token.",
  },
  {
    case: /\.requestPasswordReset (email garbage|about .*)$/,
    ours: /^200$/,
    theirs: /^400 InvalidRequest$/,
    reason: "Nobody learns who has an account: the answer is the same for every address.",
  },
  {
    case: /\.resetPassword password empty$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^400 InvalidToken$/,
    reason: "An empty password is refused before the code is looked at. The reference would set it.",
  },
  {
    case: /\.admin\.deleteAccount /,
    ours: /^400 NotFound$/,
    theirs: /^200$/,
    reason: "An account that is not here cannot be deleted. The reference announces the deletion of any DID, also of an account at another server.",
  },
];
