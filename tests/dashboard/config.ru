# Sidekiq's Web UI by itself, as a forge would mount it.
require "sidekiq/web"

begin
  require "sidekiq/cron/web"
rescue LoadError
  # There is no Cron page then.
end

# One browser comes here, so one session is enough. 6 and 7 keep their token against forged requests in it.
session = {}
use(Class.new do
  define_method(:initialize) { |app| @app = app }
  define_method(:call) { |environment| @app.call(environment.merge("rack.session" => session)) }
end)
run Sidekiq::Web
