/** The one channel over which the parts of the page hear of each other. */
export const bus = Backbone.Radio.channel("parley");
