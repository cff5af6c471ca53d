/** The page's event bus: models, views and the stream client publish and subscribe here. */
export const bus = Backbone.Radio.channel("parley");
