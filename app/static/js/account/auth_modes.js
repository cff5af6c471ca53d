import { MailedLink } from "./mailed_link.js";

// Whether there is such an account is nobody's business.
const sentPerhaps = (email) => `If an account exists for ${email}, we've sent an email.`;
const sent = (email) =>
  `We've sent a link to ${email}. Open it to confirm your email, then sign in.`;

const askFor =
  (kind) =>
  (_, { email }) =>
    new MailedLink({}, { kind }).ask(email.value);

/**
 * The modes of the entry dialog: its words (`invitation` comes before a purpose like "to like this comment"), the field that
 * has the focus first, and `act`, which submits the dialog's fields. If `act` signs nobody in, `sent` is the message that
 * follows, and `again` is called if no mail comes.
 */
export const MODES = {
  signin: {
    title: "Welcome back",
    invitation: "Sign in",
    submit: "Sign in",
    first: "email",
    password: "current-password",
    act: (account, { email, password, remember_me }) =>
      account.signIn({
        email: email.value,
        password: password.value,
        remember_me: remember_me.checked,
      }),
  },
  signup: {
    title: "Create an account",
    invitation: "Create an account",
    submit: "Sign up",
    first: "username",
    password: "new-password",
    act: (account, { email, username, password }) =>
      account.signUp({ email: email.value, username: username.value, password: password.value }),
    sent,
    again: "confirm",
  },
  forgot: {
    title: "Forgot your password?",
    submit: "Send link",
    first: "email",
    act: askFor("resets"),
    sent: sentPerhaps,
    again: "forgot",
  },
  unlock: {
    title: "Unlock your account",
    submit: "Send link",
    first: "email",
    act: askFor("unlocks"),
    sent: sentPerhaps,
    again: "unlock",
  },
  confirm: {
    title: "Confirm your email",
    submit: "Resend link",
    first: "email",
    act: askFor("confirmations"),
    sent: sentPerhaps,
    again: "confirm",
  },
};
