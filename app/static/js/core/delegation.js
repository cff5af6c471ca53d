// Backbone.View without jQuery, by the methods that Backbone documents for other DOM libraries.
//
// A listener gets the browser's event. `event.delegateTarget` is the element that the selector matched: the nearest one
// that contains the event's target and is inside the view. Without a selector it is the view's element.
//
// Views have no `$el`, and `view.$(selector)` returns a NodeList. `el` is an element or a selector.

const NOT_BUBBLING = ["blur", "focus"]; // so a listener for descendants captures them

const listenersOf = new WeakMap(); // view → [{el, type, selector, listener, handle, capture}]

/** @type {ThisType<Backbone.View>} */
const methods = {
  $(selector) {
    return this.el.querySelectorAll(selector);
  },

  delegate(type, ...rest) {
    const [selector, listener] = selectorAndListener(rest);
    const { el } = this;
    if (!el || !listener) return this;
    const handle = (event) => {
      const target = selector ? nearest(event.target, selector, el) : el;
      if (target) listener(Object.assign(event, { delegateTarget: target }));
    };
    const capture = Boolean(selector) && NOT_BUBBLING.includes(type);
    el.addEventListener(type, handle, capture);
    const known = listenersOf.get(this) ?? [];
    listenersOf.set(this, [...known, { el, type, selector, listener, handle, capture }]);
    return this;
  },

  undelegate(type, ...rest) {
    const [selector, listener] = selectorAndListener(rest);
    return removeListeners(
      this,
      (one) =>
        (!type || one.type === type) &&
        (!selector || one.selector === selector) &&
        (!listener || one.listener === listener),
    );
  },

  undelegateEvents() {
    return removeListeners(this, () => true);
  },

  _setElement(el) {
    this.el = typeof el === "string" ? document.querySelector(el) : el;
  },

  _removeElement() {
    this.undelegateEvents();
    this.el?.remove();
  },

  _setAttributes(attributes) {
    for (const [name, value] of Object.entries(attributes)) this.el.setAttribute(name, value);
  },
};

Object.assign(Backbone.View.prototype, methods);

/**
 * The selector may be left out.
 * @param {any[]} rest
 */
function selectorAndListener([selector, listener]) {
  return typeof selector === "function" ? ["", selector] : [selector ?? "", listener];
}

// Some browsers dispatch a click on an element inside a disabled button.
function nearest(target, selector, el) {
  const found = target.closest(selector);
  const isInside = found !== null && found !== el && el.contains(found);
  return isInside && !found.disabled ? found : null;
}

function removeListeners(view, isSelected) {
  const all = listenersOf.get(view) ?? [];
  for (const one of all.filter(isSelected)) {
    one.el.removeEventListener(one.type, one.handle, one.capture);
  }
  listenersOf.set(
    view,
    all.filter((one) => !isSelected(one)),
  );
  return view;
}
