// Differences to the reference that are intended. Each has the cases, both answers, and the reason.
//
// `credential` narrows a row to questions with such credentials. With `more` or `less` the bodies are equal but for these fields of ours or of theirs.
//
// What is compared is the answer (status and error name, or status, type and shape of the body), and where that is equal the class of the message and
// the headers. A row is about the answer unless it names another aspect.

const TAKEN_DOWN = / as a taken-down account$/;
const DELETED = / as a deleted account$/;
const CAPITALS = / with the content type in capitals$/;

/**
 * @type {{
 *   case: RegExp, ours?: RegExp, theirs?: RegExp, more?: string[], less?: string[], reason: string, credential?: RegExp,
 *   aspect?: "answer" | "message" | "headers",
 * }[]}
 */
export const DIFFERENCES = [
  // Bodies.
  {
    case: / with (broken JSON|a string as body|null as body|text behind the JSON)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^400 SyntaxError$/,
    reason: "A body that is no JSON is an invalid request. The reference shows the name of its own exception.",
  },
  {
    case: CAPITALS,
    ours: /^(200|400 (InvalidToken|NotFound)$)/,
    theirs: /^400 InvalidRequest$/,
    reason: "Media types are the same in every case (RFC 9110, section 8.3.1).",
  },
  {
    case: CAPITALS,
    aspect: "message",
    ours: /^Rotation keys do not include/,
    theirs: /^Wrong request encoding/,
    reason: "Media types are the same in every case (RFC 9110, section 8.3.1).",
  },
  {
    case: / with (a body that is called compressed|an unknown coding)$/,
    ours: /^415 UnsupportedMediaType$/,
    theirs: /^(400 Error|415 UnsupportedMediaTypeError)$/,
    reason: "Compressed requests are not taken. The reference unpacks some and shows the names of its own exceptions.",
  },
  {
    case: /\.uploadBlob without a content type$/,
    aspect: "message",
    ours: /is not a media type$/,
    theirs: /required but not provided$/,
    reason: "The header is there and empty.",
  },
  // Credentials.
  {
    case: / as not base64$|\.uploadBlob as garbage$/,
    ours: /^40[01] (BadJwt|InvalidToken)$/,
    theirs: /^500 InternalServerError$/,
    reason: "A malformed token is no failure of the server.",
  },
  {
    case: /\.(refresh|delete)Session as (admin|wrong admin|other user)$/,
    ours: /^400 InvalidToken$/,
    theirs: /^401 AuthMissing$/,
    reason: "A credential of another type is refused in the same words by every method that asks for a token.",
  },
  {
    case: / as a service for another server$/,
    ours: /^401 BadJwtAudience$/,
    theirs: /^401 UntrustedIss$/,
    reason: "A token for another server says nothing here, whoever issued it.",
  },
  {
    case: /\.(listAppPasswords|revokeAppPassword) as (an app password|a privileged app password)$/,
    ours: /^400 InvalidToken$/,
    theirs: /^200/,
    reason: "An app password can neither see nor end others: a program that is not trusted could lock its owner's other programs out.",
  },
  {
    case: TAKEN_DOWN,
    ours: /^401 AccountTakedown$/,
    theirs: /^(200|400 (InvalidRequest|AccountNotFound|NotFound)$|401 AuthenticationRequired$|403 Refused$|502 )/,
    reason: "Tokens from before a takedown end with it, for every method, and the client is told why.",
  },
  {
    case: /\.getServiceAuth as a taken-down account$/,
    ours: /^400 InvalidToken$/,
    theirs: /^200 /,
    reason: "Tokens from before a takedown end with it. The owner logs in again to move.",
  },
  {
    case: /\.sync\.get\w+ as a taken-down account that moves$/,
    ours: /^200 /,
    theirs: /^400 InvalidToken$/,
    reason: "Whoever moves may read everything of the repository.",
  },
  {
    case: DELETED,
    ours: /^400 AccountNotFound$/,
    theirs: /^(200|400 (InvalidRequest|InvalidToken|NotFound)$|401 AuthenticationRequired$|403 AccountNotFound$|500 )/,
    reason: "Tokens of an account that was deleted are refused in the same words by every method, also those that need no account.",
  },
  {
    case: /\.(applyWrites|createRecord|deleteRecord|putRecord) as a deactivated account$/,
    ours: /^401 AccountDeactivated$/,
    theirs: /^401 AuthenticationRequired$/,
    reason: "The state of the account that asks is looked at before the repository that it names.",
  },
  {
    case: /\.(applyWrites|createRecord|deleteRecord|putRecord) about (a taken-down account|a deactivated account|a deleted account|nobody)$/,
    ours: /^401 AuthenticationRequired$/,
    theirs: /^40[13] Account/,
    reason: "The state of another account is nothing to somebody who may not write to its repository.",
  },
  // Headers.
  {
    case: /./,
    credential: /^(?!none$)/,
    aspect: "headers",
    ours: /^access-control-allow-origin: \*; cache-control: private; vary: authorization$/,
    theirs: /^access-control-allow-origin: \*$/,
    reason: "Whatever is answered to a credential is private. The reference says so for some methods.",
  },
  {
    case: /\.(createSession (about|identifier|password)|deleteAccount password) /,
    credential: /^none$/,
    aspect: "headers",
    ours: /^access-control-allow-origin: \*; cache-control: private; vary: authorization$/,
    theirs: /^access-control-allow-origin: \*$/,
    reason: "A refusal with 401 is private, whoever asks.",
  },
  {
    case: /./,
    credential: /^none$/,
    aspect: "headers",
    ours: /^access-control-allow-origin: \*$/,
    theirs: /^access-control-allow-origin: \*; cache-control: private; vary: authorization$/,
    reason: "An answer to a request without a credential is the same for everybody.",
  },
  {
    case: /^(app\.bsky|com\.atproto\.(moderation|temp)|com\.example)\./,
    aspect: "headers",
    ours: /^access-control-allow-origin: \*; cache-control: private; content-security-policy: default-src 'none'; sandbox; x-content-type-options: nosniff; vary: authorization$/,
    theirs: /^access-control-allow-origin: \*; cache-control: private; vary: authorization$/,
    reason: "A browser never runs what another service has answered.",
  },
  {
    case: /\.getBlob /,
    aspect: "headers",
    ours: /cache-control: public, max-age=\d+, s-maxage=\d+, immutable;/,
    theirs: /cache-control: private;/,
    reason: "The bytes of a blob never change, so caches may keep them.",
  },
  // Accounts.
  {
    case: /\.createAccount (as|\w+ (empty|too long|garbage)|with) ?/,
    more: ["active", "email", "emailAuthFactor", "emailConfirmed"],
    reason: "The answer to createAccount says as much as that to createSession: the state of the account, its address and its document.",
  },
  {
    case: /\.createAccount password (absent|empty)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200 /,
    reason: "An account without a password could not be entered.",
  },
  {
    case: /\.createAccount recoveryKey empty$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200 /,
    reason: "An empty text is no key.",
  },
  {
    case: /\.createAccount (email empty|recoveryKey (too long|garbage))$/,
    aspect: "message",
    ours: /./,
    theirs: /^(Email is required|Unsupported key type)/,
    reason: "The message says what is wrong with the text that is there, and does not repeat it.",
  },
  {
    case: /\.(createAppPassword name|updateAccountEmail email|updateAccountPassword password|sendEmail subject) (empty|too long|garbage)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200/,
    reason: "Names, addresses, subjects and passwords have a length and no control characters.",
  },
  {
    case: /\.createInviteCodes? (useCount|codeCount) (negative|huge)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200/,
    reason: "Codes and their uses are counted from 0 to what a database can hold.",
  },
  {
    case: /\.getAccountInviteCodes as a deactivated account$/,
    ours: /^200/,
    theirs: /^400 NotFound$/,
    reason: "A deactivated account still has its codes.",
  },
  {
    case: /\.(createSession|getSession|refreshSession) /,
    more: ["emailAuthFactor"],
    reason: "Sessions say whether a sign-in asks for a mailed code. The reference has no such codes.",
  },
  {
    case: /\.requestPasswordReset (email garbage|about .*)$/,
    ours: /^200$/,
    theirs: /^400 InvalidRequest$/,
    reason: "Nobody learns who has an account: the answer is the same for every address.",
  },
  {
    case: /\.requestPasswordReset email (empty|too long)$/,
    aspect: "message",
    ours: /./,
    theirs: /^account does not have an email address$/,
    reason: "Nobody learns who has an account: what is no address is refused as such.",
  },
  {
    case: /\.resetPassword password empty$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^400 InvalidToken$/,
    reason: "An empty password is refused before the code is looked at. The reference would set it.",
  },
  // Administration.
  {
    case: /\.admin\.deleteAccount /,
    ours: /^400 NotFound$/,
    theirs: /^200$/,
    reason: "An account that is not here cannot be deleted. The reference announces the deletion of any DID, also of an account at another server.",
  },
  {
    case: /\.admin\.(dis|en)ableAccountInvites about (a deleted account|nobody)$/,
    ours: /^400 NotFound$/,
    theirs: /^200$/,
    reason: "An administrator is told when nothing was changed.",
  },
  {
    case: /\.admin\.updateAccountHandle about (a deleted account|nobody)$/,
    ours: /^400 NotFound$/,
    theirs: /^400 InvalidRequest$/,
    reason: "An account that is not here has one name for all administrative methods, as in getAccountInfo.",
  },
  {
    case: /\.admin\.updateAccountHandle about a taken-down account$/,
    ours: /^200$/,
    theirs: /^400 InvalidRequest$/,
    reason: "A handle may be the reason of a takedown, and the administrator can change it.",
  },
  // Identity.
  {
    case: /\.signPlcOperation rotationKeys an empty list$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^400 InvalidToken$/,
    reason: "What is malformed is refused before the code is looked at, which stays good.",
  },
  {
    case: /\.submitPlcOperation operation an empty object$/,
    aspect: "message",
    ours: /^Invalid operation: type must be/,
    theirs: /^Invalid operation$/,
    reason: "The message names the field.",
  },
  // Repositories.
  {
    case: /\.applyWrites writes an empty list$/,
    ours: /^200 /,
    theirs: /^200 .*"commit"/,
    reason: "No writes make no commit.",
  },
  {
    case: /\.listRepos /,
    less: ["cursor"],
    reason: "The last page has no cursor.",
  },
  {
    case: /\.listRepos cursor /,
    aspect: "message",
    ours: /./,
    theirs: /^Malformed cursor$/,
    reason: "The message names the parameter.",
  },
  {
    case: /\.(listRecords|listMissingBlobs|listBlobs) cursor (garbage|too long)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200 /,
    reason: "A cursor that this server never gave is refused, so that a client notices.",
  },
  {
    case: /\.importRepo (with an empty body|with garbage)$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^500 InternalServerError$/,
    reason: "A file that is no repository is no failure of the server.",
  },
  {
    case: /\.importRepo as a deactivated account$/,
    ours: /^400 InvalidRequest$/,
    theirs: /^200$/,
    reason: "The repository of somebody else is refused.",
  },
  {
    case: /\.repo\.getRecord about (a taken-down account|a deactivated account)$/,
    aspect: "message",
    ours: /^Could not locate record: /,
    theirs: /^Could not locate record$/,
    reason: "The record of an account of this server is not asked of the app view, and the message names it.",
  },
  // What other services answer.
  {
    case: /^app\.bsky\.(actor\.getProfiles?|feed\.get\w+) \w+ (absent|empty|garbage|too long|twice|negative|a fraction|huge)$/,
    ours: /^(200|400 NotFound$)/,
    theirs: /^400 InvalidRequest$/,
    reason: "The app view judges the parameters of its own methods, whose lexicons it may have in a newer version.",
  },
  {
    case: /\.createReport /,
    ours: /^200 /,
    theirs: /^502 InternalServerError$/,
    reason: "The reference does not reach the report service of the tests, whose address is on loopback.",
  },
];
