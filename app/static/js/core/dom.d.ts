// What the DOM's own types leave out.

/** A link, a button or a field of a page of ours. The class that it is looked up by does not say which of them it is. */
interface PageElement extends HTMLElement {
  href: string;
  disabled: boolean;
}

interface XMLHttpRequest {
  /** The parsed answer (ajax.js). */
  responseJSON?: any;
}

interface HTMLFormControlsCollection {
  /** The fields of a form by name. */
  [name: string]: any;
}

interface ParentNode {
  /** The element is in the page or in the template: tests in a browser show that it is there. */
  querySelector<E extends Element = PageElement>(selectors: string): E;
  querySelectorAll<E extends Element = PageElement>(selectors: string): NodeListOf<E>;
}
