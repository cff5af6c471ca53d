// Backbone and Backbone.Radio, as far as this application uses them. The published types give `any` for whatever `extend`
// makes; here a class has the members of its base and of the properties that it is made from, and `this` has them, too.
//
// The fields that a class gets in `initialize` are named beside it:
//
//   /** @typedef {{ bus: Backbone.Events }} Fields */
//   export const XView = /** @type {ViewWith<Fields>} */ (Backbone.View).extend({ … });

/** A class of these instances, which can be extended. */
interface BackboneClass<Instance> {
  new (...options: any[]): Instance;
  readonly prototype: Instance;
  extend<Properties>(
    properties: Properties & ThisType<Extended<Instance, Properties>>,
  ): BackboneClass<Extended<Instance, Properties>>;
}

type Extended<Instance, Properties> = Omit<Instance, keyof Properties> & Properties;

type ModelWith<Fields> = BackboneClass<Backbone.Model & Fields>;
type CollectionWith<Fields> = BackboneClass<Backbone.Collection & Fields>;
type ViewWith<Fields> = BackboneClass<Backbone.View & Fields>;

declare namespace Backbone {
  type Callback = (...args: any[]) => unknown;

  interface Events {
    on(events: string, callback: Callback, context?: unknown): this;
    off(events?: string | null, callback?: Callback | null, context?: unknown): this;
    once(events: string, callback: Callback, context?: unknown): this;
    trigger(events: string, ...args: unknown[]): this;
    listenTo(other: Events, events: string, callback: Callback): this;
    listenToOnce(other: Events, events: string, callback: Callback): this;
    stopListening(other?: Events | null, events?: string | null, callback?: Callback): this;
  }

  interface Model extends Events {
    id: string;
    cid: string;
    attributes: Attributes;
    changed: Attributes;
    get(name: string): any;
    has(name: string): boolean;
    set(attributes: Attributes, options?: Options): this | false;
    set(name: string, value: unknown, options?: Options): this | false;
    unset(name: string, options?: Options): this;
    clear(options?: Options): this;
    omit(...names: string[]): Attributes;
    previous(name: string): any;
    hasChanged(name?: string): boolean;
    changedAttributes(): Attributes | false;
    isNew(): boolean;
    toJSON(options?: Options): Attributes;
    url(): string;
    parse(response: any, options?: Options): Attributes;
    sync(method: string, model: Model | Collection, options?: Options): unknown;
    fetch(options?: Options): unknown;
    save(attributes?: Attributes | null, options?: Options): unknown;
    destroy(options?: Options): unknown;
  }

  interface Collection<M = any> extends Events {
    models: M[];
    length: number;
    model: BackboneClass<M>;
    at(index: number): M;
    get(id: string): M | undefined;
    add(model: M | Attributes, options?: Options): M;
    add(models: (M | Attributes)[], options?: Options): M[];
    remove(model: M, options?: Options): M;
    remove(models: M[], options?: Options): M[];
    set(models: any, options?: Options): any;
    reset(models?: (M | Attributes)[] | null, options?: Options): M[];
    sort(options?: Options): this;
    sync(method: string, model: Model | Collection, options?: Options): unknown;
    fetch(options?: Options): unknown;
    filter(predicate: (model: M) => unknown): M[];
    find(predicate: (model: M) => unknown): M | undefined;
    map<T>(iteratee: (model: M) => T): T[];
    some(predicate: (model: M) => unknown): boolean;
    reject(predicate: (model: M) => unknown): M[];
    each(iteratee: (model: M, index: number) => unknown): M[];
    groupBy(iteratee: (model: M) => string): { [key: string]: M[] };
    has(id: string): boolean;
    findLastIndex(predicate: (model: M) => unknown): number;
    every(predicate: (model: M) => unknown): boolean;
    first(): M | undefined;
    last(): M | undefined;
    indexOf(model: M): number;
    pluck(name: string): any[];
    where(attributes: Attributes): M[];
    findWhere(attributes: Attributes): M | undefined;
    toJSON(options?: Options): Attributes[];
    [Symbol.iterator](): Iterator<M>;
  }

  interface View extends Events {
    cid: string;
    el: HTMLElement;
    model: any;
    collection: any;
    $(selector: string): NodeListOf<Element>;
    setElement(element: Element | string): this;
    delegateEvents(events?: Record<string, string | Callback>): this;
    undelegateEvents(): this;
    render(...args: any[]): unknown;
    remove(): unknown;
  }

  /** What a model knows by name. */
  type Attributes = Record<string, any>;
  type Options = Record<string, any>;

  const Events: Events;
  const Model: BackboneClass<Model>;
  const Collection: BackboneClass<Collection>;
  const View: BackboneClass<View>;
  const Radio: { channel(name: string): Events };
  let sync: (method: string, model: any, options?: any) => any;
  let ajax: (request: any) => any;
}
